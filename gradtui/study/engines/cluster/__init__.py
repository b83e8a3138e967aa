"""Trainers on the machines of a Ray cluster.

`engine` starts them from here, `placed` follows each over the wire, `seat` is what keeps them there, and `mirror`
brings a run's files along where the folder of runs is not shared. Ray is imported when an engine is made.
"""
