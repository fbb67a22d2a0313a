"""What a process tells about itself: metrics, traces, logs, health. Each is off unless it is set.

metrics   what is counted             gauges   what there is, from the database and Temporal
runtime   where both can be read      traces   from a request to the steps of a pause
logs      text or JSON                requests every HTTP request, counted and traced
health    whether a worker can work
"""

from starter.telemetry.telemetry import OFF, Telemetry, switched_on

__all__ = ["OFF", "Telemetry", "switched_on"]
