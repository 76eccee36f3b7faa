"""What a container's image needs before it can start, and the events that tell. There is no registry to pull from:
an image is on this node or the pull fails.
"""

from collections.abc import Callable

from knarr.kinds.types.core_v1 import Container
from knarr.node.images.name import normalised
from knarr.node.runtimes.runtime import Image, Runtime, RuntimeFailure

Tell = Callable[[str, str, str], None]  #: an event's type, reason and message


async def ensure(runtime: Runtime, container: Container, tell: Tell) -> Image:
    """Return the image; RuntimeFailure with the reason the container waits for."""
    name, policy = container.image, container.imagePullPolicy
    check(name, tell)
    try:
        image = await runtime.image_ready(name)
    except RuntimeFailure as error:
        tell("Warning", "Failed", f'Failed to pull image "{name}": {error.message}')
        tell("Warning", "Failed", f"Error: {error.reason}")
        raise
    if image is not None and policy != "Always":
        tell("Normal", "Pulled", f'Container image "{name}" already present on machine and can be accessed by the pod')
        return image
    if image is None and policy == "Never":
        message = f'Container image "{name}" is not present with pull policy of Never'
        tell("Warning", "ErrImageNeverPull", message)
        tell("Warning", "Failed", "Error: ErrImageNeverPull")
        raise RuntimeFailure(message, reason="ErrImageNeverPull")
    tell("Normal", "Pulling", f'Pulling image "{name}"')
    if image is None:
        message = f'failed to resolve reference "{name}": not found on this node, and there is no registry to pull from'
        tell("Warning", "Failed", f'Failed to pull image "{name}": {message}')
        tell("Warning", "Failed", "Error: ErrImagePull")
        raise RuntimeFailure(message, reason="ErrImagePull")
    size = f"Image size: {image.size} bytes."
    tell("Normal", "Pulled", f'Successfully pulled image "{name}" in 0s (0s including waiting). {size}')
    return image


def check(name: str, tell: Tell) -> None:
    """RuntimeFailure for what can be no image's name, whatever the runtime."""
    try:
        normalised(name)
    except ValueError as error:
        message = f'Failed to apply default image tag "{name}": {error}'
        tell("Warning", "InspectFailed", message)
        tell("Warning", "Failed", "Error: InvalidImageName")
        raise RuntimeFailure(message, reason="InvalidImageName") from error
