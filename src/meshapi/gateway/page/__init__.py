"""The page at `/`: the requests as they come, and what they got, for whoever sits at the desk.

exchanges   the last requests and their responses, within bounds
watcher     the middleware that notes them
faults      what it can switch on for the next call
routes      the page, and what it asks for; who may see it
index.html  the page itself: one file that loads nothing else
"""
