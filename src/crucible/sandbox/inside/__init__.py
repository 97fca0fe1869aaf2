"""What runs on the far side: standard library only, started with -I -S, never importing the rest of Crucible."""
