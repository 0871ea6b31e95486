"""What runs away from the request: the projector, the sender of evaluation results, and their consumer."""
