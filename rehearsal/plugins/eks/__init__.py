"""The emulated `eks` provider plugin: the components of pulumi-eks 4.4.0, by the children that they make.

Types, names, inputs and options of the children are those of the real component for the shape that this project uses.
Refuses to own what the children are: they go to the `aws` and `kubernetes` plugins.
"""
