"""When the attempts of a run begin: limits, budgets and pauses that the gateway asks for.

- `admission`: decides whether an attempt may begin, must wait, or ends the run. It has the rest:
- `slots`: what it returns.
- `per_minute`: the rate limit that a program gives.
- `pace`: spreads attempts over a rate limit, and `last_minute` counts them.
- `models`: tells the limit of one model from that of the account.
- `learned`: a limit that the gateway does not name.
- `remaining`: what others who use the account leave of a limit.
- `concurrency`: how many attempts may be under way; "auto" finds out.
- `outages`: a gateway that cannot be reached.
- `reservations`: what attempts under way may still spend of a budget.
"""
