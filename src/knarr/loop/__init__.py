"""What every controller shares: the queue, the runner, Steps, claims, revisions."""
