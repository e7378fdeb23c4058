"""Whether it worked: runs methods over tasks, keeps every answer, compares and reports."""
