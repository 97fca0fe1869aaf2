"""KL penalties towards the reference policy: estimators, where the penalty goes, and what sets its strength."""
