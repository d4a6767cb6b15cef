"""Engines run models. They are named by strings and imported when they are used."""
