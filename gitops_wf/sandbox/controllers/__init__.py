"""What brings the sandbox's objects to their end state, as controllers and kubelet do.

Each controller is a pure function of what it sees; `loop` runs them.
"""
