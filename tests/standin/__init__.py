"""A stand-in for Stripe: its HTTP API, as far as we use it, in a process of its own.

Tests talk to it through the official client and steer it through `control.Standin`, which the
fixture `standin` gives them. It is meant to refuse whatever Stripe refuses: parameters are held
against the types that ship in the official package, and a parameter that Stripe knows but that
means nothing here is refused too, by a message that says so.

Where it knowingly differs from Stripe:

- Test cards behave as their names say when they are charged. At Stripe some of them could not even
  be saved.
- Whatever goes wrong after the parameters were found to be valid is kept under the idempotency key,
  a 404 for the object in the path too. Stripe does not say which errors it keeps.
- Only the mode `setup` of a checkout session, only automatic capture, only cards.
- A list by a customer or a payment that does not exist is empty; Stripe may refuse it.
- A payment in `processing` cannot be cancelled; at Stripe it can "in rare cases".
- A webhook is sent once, events one after another; Stripe repeats them and keeps no order.
- Events name no request that caused them.
"""
