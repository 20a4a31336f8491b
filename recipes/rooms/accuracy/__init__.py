"""The accuracy of the scorers, measured on rooms whose truth is known: `python -m recipes.rooms.accuracy`."""
