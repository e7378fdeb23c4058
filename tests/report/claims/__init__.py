"""What the pages state in numbers, each with the record or the constant it has to agree with."""
