"""What to do: questionnaire, flowchart, recommendation. Pure, fast, imports nothing heavy."""
