"""Examples that are made up may take their time on a busy machine, whichever folders are asked for."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
