"""Both machines under hosts that do right and wrong at random. See `fuzz/call_driver.py`."""

from call_driver import Driver
from hypothesis import given
from hypothesis import strategies as st


@given(st.binary(max_size=200))
def test_no_host_gets_a_machine_out_of_its_rules(data):
    Driver(data).run()


# Choices from 6 to 15 do what is asked.
_steps = st.lists(st.integers(0, 255) | st.integers(6, 15), max_size=200).map(bytes)


@given(st.binary(min_size=5, max_size=5), _steps)
def test_no_host_that_does_mostly_right_gets_there_either(modes, steps):
    Driver(modes + steps).run()
