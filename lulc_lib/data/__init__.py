"""Scenes, reference masks, the published dataset's catalogue and the synthetic landscape."""
