"""Writes data/tables: .npy files of every element type, order and version with their values, and Fisher's irises with
what NumPy and SciPy compute from them. usage: make_table_fixtures.py (NumPy, SciPy, scikit-learn)"""

import json
import pathlib

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from sklearn.datasets import load_iris

folder = pathlib.Path(__file__).parent / "data" / "tables"
folder.mkdir(parents=True, exist_ok=True)


def save(name, array, version):
    with open(folder / name, "wb") as file:
        np.lib.format.write_array(file, array, version=version, allow_pickle=False)


expected = {}
types = ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]
for i, kind in enumerate(types):
    values = np.arange(15).reshape(5, 3) ** 2 - (0 if kind[0] in "bu" else 60)
    if kind == "b1":
        values = values % 3 == 0
    elif kind[0] == "f":
        values = values / 8 + 0.0625
    for order in "CF":
        for ends in "<>":
            version = [(1, 0), (2, 0), (3, 0)][i % 3]
            array = np.array(values, dtype=ends + kind, order=order)
            name = f"{kind}-{'big' if ends == '>' else 'little'}-{order}.npy"
            save(name, array, version)
            expected[name] = array.astype("f8").tolist()
(folder / "expected.json").write_text(json.dumps(expected, indent=0) + "\n")

# What is refused.
save("refused-structure.npy", np.zeros(3, dtype=[("a", "<f4"), ("b", "<i4")]), (1, 0))
save("refused-complex.npy", np.zeros((3, 2), dtype="<c8"), (1, 0))
save("refused-long-double.npy", np.zeros((3, 2), dtype="<f16"), (1, 0))
save("refused-text.npy", np.array([["a", "b"]]), (1, 0))
save("refused-dates.npy", np.array([["2020-01-01"]], dtype="M8[D]"), (1, 0))
save("refused-cube.npy", np.zeros((2, 3, 4), dtype="<f4"), (1, 0))
save("refused-vector.npy", np.zeros(4, dtype="<f4"), (1, 0))
save("refused-scalar.npy", np.array(1.0, dtype="<f4"), (1, 0))
save("refused-no-tokens.npy", np.zeros((0, 4), dtype="<f4"), (1, 0))
save("refused-no-channels.npy", np.zeros((4, 0), dtype="<f4"), (1, 0))
np.save(folder / "refused-objects.npy", np.array([[1, "a"]], dtype=object), allow_pickle=True)

# Fisher's irises: text as pandas would write it, classes, mutual information under a Gaussian model, average linkage.
iris = load_iris()
names = [name.replace(" (cm)", "") for name in iris.feature_names]
lines = [",".join(names)] + [",".join(repr(float(x)) for x in row) for row in iris.data]
(folder / "iris.csv").write_text("\n".join(lines) + "\n")
(folder / "iris-classes.csv").write_text("\n".join(["species"] + [str(iris.target_names[t]) for t in iris.target]) + "\n")
data = iris.data.astype("f4").astype("f8")
mi = -0.5 * np.log1p(-np.square(np.corrcoef(data.T)) + np.eye(4))
tree = linkage(squareform(np.exp(-mi), checks=False), "average")
result = {"names": names, "mi": mi.tolist(), "linkage": tree.tolist(), "leaves": leaves_list(tree).tolist()}
(folder / "iris-expected.json").write_text(json.dumps(result, indent=0) + "\n")
