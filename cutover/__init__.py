"""How traffic is moved: the gate that judges a change of weights, what it reads from AWS, and where it stands."""
