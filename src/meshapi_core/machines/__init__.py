"""The life of a call, as state machines that do no I/O and read no clock.

A host picks the machine that fits what it has. It asks the machine what to do, does it, and reports
the outcome:

    PipeCall     in `pipe_call`: over byte pipes, such as sockets; speaks HTTP itself
    ClientCall   in `client_call`: through an HTTP client
    RequestCall  in `request_call`: one request over a byte pipe, for a pool as a transport
    Exchange     in `exchange`: for hosts that read whole responses and keep time themselves

`actions` is the vocabulary of the first two, `states` lists the states they go through, and
`call_machine` has the methods that both share. Inside them:

    lifecycle        a call in progress: what it holds, how it moves on and ends
    common_steps     the steps for the states that both machines have
    pipe_attempts, client_attempts
                     one attempt, and the steps up to the head of its response
    responses        reads a response from its head on, whole or as a stream
    exchange         decides which attempt follows which: each call of the other two has one
    call_token       the token of a call whose configuration has a function that returns it
    pace, timer      when bytes of a response are due; when an action is due
"""
