"""What the workers need of the world, by role. Adapters are named by their technology.

Every method may raise :class:`schemas.errors.RetryableError` (an outage, a throttle, a
conflict that outlasted the adapter's own patience); what else it raises stands in its docstring.
The fakes that stand in for these ports live with the tests, and one contract suite runs over
both. All calls block: the host runs them on threads, never on its event loop.
"""
