"""Two recurrent layers over the same series, one forwards and one backwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import tensorflow as tf

from skhp.networks.layers.layer import (
    Layer,
    LayerContext,
    LayerDescription,
    LayerSeeds,
    no_batched_form,
    read_layer,
    reads,
)
from skhp.networks.layers.recurrent import (
    RecurrentDescription,
    RecurrentLayer,
    recurrent_rates,
)
from skhp.networks.network import Cost, Shapes, Tensor

_MERGES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "concat": lambda one, other: tf.concat([one, other], axis=-1),
    "sum": lambda one, other: one + other,
    "ave": lambda one, other: (one + other) / 2.0,
    "mul": lambda one, other: one * other,
}


@dataclass(frozen=True)
class BidirectionalLayer(Layer):
    """A forward and a backward recurrent layer, whose outputs are merged."""

    forward: RecurrentLayer
    backward: RecurrentLayer
    merge: str = "concat"

    @property
    def compiles(self) -> bool:  # type: ignore[override]
        """Whether XLA can compile both."""
        return self.forward.compiles and self.backward.compiles

    @property
    def weight_shapes(self) -> Shapes:  # type: ignore[override]
        """Shapes of the weights of both."""
        return (*self.forward.weight_shapes, *self.backward.weight_shapes)

    @property
    def noise_shapes(self) -> Shapes:
        """Shapes of the noises of both."""
        return (*self.forward.noise_shapes, *self.backward.noise_shapes)

    def apply(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        state: Sequence[Tensor],
        context: LayerContext,
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Run both layers; returned series are in the order of the steps."""
        n_weights, n_noises = len(self.forward.weight_shapes), len(self.forward.noise_shapes)

        def walked(layer: RecurrentLayer, first: bool) -> Tensor:
            own = slice(n_weights) if first else slice(n_weights, None)
            noises = slice(n_noises) if first else slice(n_noises, None)
            of_layer = context._replace(noises=context.noises[noises], rates=context.rates[noises])
            outputs, _ = layer.apply(values, weights[own], (), of_layer)
            # Keras, too, reverses the series that the backward layer returns.
            turned = layer.return_sequences and not first
            return tf.reverse(outputs, [3]) if turned else outputs

        outputs = walked(self.forward, True), walked(self.backward, False)
        return _MERGES[self.merge](*outputs), state

    def mask_after(self, values: Tensor, mask: Tensor) -> Tensor:
        """The same mask where the layers return all steps."""
        return self.forward.mask_after(values, mask)

    def is_masked_after(self, masked: bool) -> bool:
        """Whether returned steps may be masked."""
        return self.forward.is_masked_after(masked)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Both outputs side by side, or the shape of one."""
        *within, units = self.forward.output_shape(input_shape)
        return (*within, 2 * units if self.merge == "concat" else units)

    def cost(self, input_shape: tuple[int, ...], rows: int) -> Cost:
        """The cost of both layers."""
        return self.forward.cost(input_shape, rows) + self.backward.cost(input_shape, rows)

    def turns(self, input_shape: tuple[int, ...]) -> int:
        """The turns of both layers."""
        return self.forward.turns(input_shape) + self.backward.turns(input_shape)


@dataclass(frozen=True)
class BidirectionalDescription(LayerDescription):
    """A recurrent layer in each direction, with concatenated outputs."""

    described: RecurrentDescription

    keras_name = "bidirectional"

    @property
    def structure(self) -> BidirectionalDescription:
        """Equal for layers that can share a program."""
        return replace(self, described=self.described.structure)

    @property
    def dropouts(self) -> tuple[float, ...]:
        """The dropout rates of both layers."""
        return (*self.described.dropouts, *self.described.dropouts)

    def layers(self, input_shape: tuple[int, ...]) -> tuple[Layer, ...]:
        """The layer that runs in both directions."""
        (forward,) = self.described.layers(input_shape)
        forward = replace(forward, zeroes_masked=self.described.return_sequences)
        return (BidirectionalLayer(forward, replace(forward, go_backwards=True)),)

    def keras_layer(self, name: str, seeds: LayerSeeds) -> keras.layers.Layer:
        """Two layers of Keras, each with seeds of its own."""
        forward = self.described.keras_layer(f"{name}_forward", seeds)
        backward = self.described.keras_layer(f"{name}_backward", seeds)
        backward.go_backwards = True
        return keras.layers.Bidirectional(forward, backward_layer=backward, name=name)


def _rates(layer: Any) -> tuple[float, ...]:
    return (*recurrent_rates(layer.forward_layer), *recurrent_rates(layer.backward_layer))


@reads(keras.layers.Bidirectional, takes_mask=True, rates=_rates)
def read_bidirectional(layer: keras.layers.Bidirectional) -> Sequence[Layer]:
    """A Bidirectional layer around recurrent layers that we know."""
    if layer.merge_mode not in _MERGES or layer.return_state or layer.stateful:
        raise no_batched_form(layer)
    layers = [own for one in (layer.forward_layer, layer.backward_layer) for own in read_layer(one)]
    both = [one for one in layers if isinstance(one, RecurrentLayer)]
    if len(both) != 2 or both[0].units != both[1].units:
        raise no_batched_form(layer)
    return (BidirectionalLayer(both[0], both[1], layer.merge_mode),)
