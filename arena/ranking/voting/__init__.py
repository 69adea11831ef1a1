"""Social choice: places, majorities, elections and consensus, from rankings or tables of scores."""
