"""What works of each resource type in a stack of the offline AWS, found out by trying.

`python -m orbits_aws.offline.types` tries the samples and writes docs/offline-types.md. What belongs here: the samples
(a file a service), the trial of one type, the table. Nothing of it is used while an offline AWS runs.
"""
