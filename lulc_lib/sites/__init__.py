"""From class maps to candidate sites: registries, quarry objects, tracks, rules with reasons."""
