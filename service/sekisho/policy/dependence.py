"""Dependence: what a decision takes from a request beside its action and its resource.

A decision that takes nothing else is the same for one principal whenever and from wherever it is asked, so it need not be made twice.
"""

from sekisho.policy.decide import MANY
from sekisho.policy.layers import Attached, Layers


def depends_on_request(action: str, layers: Layers) -> bool:
    """Whether the decision about an action could be another for another context, with the keys that the principal owns left as they are.

    Programs say which keys they read. What is heavy is weighed by how large the context is, which is the request's too; and where there are
    many policies, so is what is light.
    """
    groups = (layers.identity, layers.boundary or (), layers.session or (), *(layers.scps or ()))
    if layers.resource is not None or layers.rcps is not None or sum(map(len, groups)) > MANY:
        return True
    return any(_depends(action, attached) for group in groups for attached in group)


def _depends(action: str, attached: Attached) -> bool:
    program = attached.program
    return not program.lasting or (program.identity.get(action) or program.identity_bucket(action))[-1] is not None
