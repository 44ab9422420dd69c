"""The brain of mailtumble: decide, evolve, project. Pure: time, identity and facts come in."""
