"""A language model behind an OpenAI-compatible endpoint as the judge of answers."""
