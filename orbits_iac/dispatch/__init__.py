"""Who advances which execution, and when: workers that claim from the store, by build; their leases; and schedules.

The engine never imports this: it is asked to `advance` what a dispatcher has claimed. Another dispatcher can stand in
its place.
"""
