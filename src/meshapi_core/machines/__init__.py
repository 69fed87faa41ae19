"""The life of a call, as state machines that do no I/O and know no clock.

A host takes the one that fits what it has, asks it what to do, does it, and tells what came of it:

    PipeCall     in `pipe_call`: over pipes for bytes, such as sockets; it does HTTP itself
    ClientCall   in `client_call`: through an HTTP client
    Exchange     in `exchange`: for hosts that read responses whole and keep time themselves

`actions` is what the first two tell their hosts, and `states` where they may stand. What both are
asked and told alike is in `call_machine`. Inside of them:

    lifecycle        a call under way: what it has, how it moves on and ends
    common_steps     what it does in each state that both machines have
    pipe_attempts, client_attempts
                     one attempt, and what the machine does until the head of a response
    responses        reads a response from its head on, whole or as a stream
    exchange         decides which attempt follows which: each call of the other two has one
    pace, timer      until when bytes must come; until when an action must be done
"""
