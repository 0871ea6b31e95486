"""What Kubernetes' autoscalers would do with a day of traffic, played second by second on this machine."""
