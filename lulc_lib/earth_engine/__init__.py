"""The classifiers of Google Earth Engine: the study's workflow in ee and geemap code, and a local
Earth Engine that answers the same client without an account."""
