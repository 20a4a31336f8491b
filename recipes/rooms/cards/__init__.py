"""Write model cards from measured numbers and training logs: `python -m recipes.rooms.cards`."""
