"""What EKS keeps here in the store, since moto has not all of it: the kinds of documents, and what is said of none."""

CLUSTERS = "eks/cluster"
ADDONS = "eks/addon"
ACCESS_ENTRIES = "eks/access-entry"
ACCESS_POLICIES = "eks/access-policy"
POD_IDENTITIES = "eks/pod-identity"
NODE_GROUP_TAGS = "eks/node-group-tags"  # moto changes those of clusters alone
NO_SUCH_ENTRY = (
    "The specified principalArn could not be found. You can view your available access entries with "
    "'list-access-entries'."
)
DEFAULT_VERSION = "1.35"  # of a cluster that names none
