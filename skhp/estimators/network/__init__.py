"""The base of the estimators whose networks are our own, whatever their layers."""
