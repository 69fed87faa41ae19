"""What is measured, by subject: functions that `table` names."""
