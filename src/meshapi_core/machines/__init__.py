"""The life of a call, as state machines that do no I/O and know no clock.

A host takes the one that fits what it has, asks it what to do, does it, and tells what came of it:

    PipeCall     in `pipe_call`: over pipes for bytes, such as sockets; it does HTTP itself
    ClientCall   in `client_call`: through an HTTP client
    Exchange     in `exchange`: for hosts that read answers whole and keep time themselves

`actions` is what the first two tell their hosts, `states` where they may stand; what they share is
in `call_machine`. Inside of them an `Exchange` decides which attempt follows which, `answers` reads
an answer from its head on, and `pace` and `timer` know until when.
"""
