"""pytorch-fid, clean-fid and torch-fidelity on two folders of images with Inception weights from a file of ours.

fid_tools.py weights FOLDER            write the weights in the formats of all tools
fid_tools.py TOOL A B FOLDER           one JSON object: values, CPU seconds of the features and of the Fréchet distance
"""

import json
import os
import pathlib
import shutil
import sys
import time

import numpy as np
import torch

PYTORCH_FID_NAME = "pt_inception-2015-12-05-6726825d.pth"
DEVICE = torch.device("cpu")
BATCH = 50


def uniform(base, tensor, count):
    """splitmix64 of (base, tensor, element), in [0, 1)."""
    with np.errstate(over="ignore"):
        z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z += np.uint64(base + (tensor << 32))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def formula_tensor(name, index, shape):
    """The tensors of tests/eval/inception_weights.h."""
    u = uniform(0x1234ABCD, index, int(np.prod(shape)))
    symmetric = 2 * u - 1
    if name.endswith(".conv.weight"):
        values = np.sqrt(6 / np.prod(shape[1:])) * symmetric
    elif name == "fc.weight":
        values = np.sqrt(3 / shape[1]) * symmetric
    elif name == "fc.bias" or name.endswith(".bn.bias"):
        values = 0.1 * symmetric
    elif name.endswith(".bn.weight"):
        values = 1 + 0.1 * symmetric
    elif name.endswith(".running_mean"):
        values = 0.05 * symmetric
    elif name.endswith(".running_var"):
        values = 1 + 0.1 * u
    else:
        raise SystemExit(f"the formula does not say how to fill {name}")
    return torch.from_numpy(values.astype(np.float32)).reshape(shape)


def write_weights(folder):
    import torch_fidelity.feature_extractor_inceptionv3 as fidelity

    class Empty(fidelity.FeatureExtractorInceptionV3):
        def load_state_dict(self, state):
            pass

    fidelity.load_state_dict_from_url = lambda *args, **options: {}
    net = Empty("inception-v3-compat", ["2048"])
    names = sorted(name for name in net.state_dict() if not name.endswith("num_batches_tracked"))
    weights = {name: formula_tensor(name, i, tuple(net.state_dict()[name].shape)) for i, name in enumerate(names)}
    torch.nn.Module.load_state_dict(net, weights, strict=False)  # all but the counters of batches
    hub = folder / "hub" / "checkpoints"
    hub.mkdir(parents=True)
    torch.save(net.state_dict(), folder / PYTORCH_FID_NAME)
    shutil.copy(folder / PYTORCH_FID_NAME, hub)

    # clean-fid reads a TorchScript program and calls its `layers` on images scaled to [-1, 1].
    order = ["Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "MaxPool_1", "Conv2d_3b_1x1", "Conv2d_4a_3x3",
             "MaxPool_2", "Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e",
             "Mixed_7a", "Mixed_7b", "Mixed_7c", "AvgPool"]
    program = torch.nn.Module()
    program.layers = torch.nn.Sequential(*[getattr(net, name) for name in order]).eval()
    program.forward = lambda x: program.layers((x - 128) / 128)
    torch.jit.trace(program, torch.zeros(2, 3, 299, 299)).save(str(folder / "inception-2015-12-05.pt"))


class Stopwatch:
    """Adds up the CPU seconds inside the functions that it wraps."""

    def __init__(self):
        self.seconds = 0.0

    def wrap(self, module, name):
        function = getattr(module, name)

        def timed(*args, **options):
            start = time.process_time()
            result = function(*args, **options)
            self.seconds += time.process_time() - start
            return result

        setattr(module, name, timed)


def pytorch_fid(a, b, folder):
    os.environ["TORCH_HOME"] = str(folder)
    from pytorch_fid import fid_score
    features, distance = Stopwatch(), Stopwatch()
    features.wrap(fid_score, "get_activations")
    distance.wrap(fid_score, "calculate_frechet_distance")
    value = fid_score.calculate_fid_given_paths([a, b], BATCH, DEVICE, 2048, num_workers=0)
    return {"FID": float(value)}, features, distance


def clean_fid(a, b, folder):
    from cleanfid import fid
    from cleanfid.inception_torchscript import InceptionV3W
    features, distance = Stopwatch(), Stopwatch()
    features.wrap(fid, "get_folder_features")
    distance.wrap(fid, "frechet_distance")
    net = InceptionV3W(str(folder), download=False)
    value = fid.compare_folders(a, b, lambda x: net(x), mode="clean", num_workers=0, batch_size=BATCH, device=DEVICE)
    return {"FID": float(value)}, features, distance


def torch_fidelity(a, b, folder):
    import torch_fidelity
    from torch_fidelity import metric_fid, utils
    features, distance = Stopwatch(), Stopwatch()
    features.wrap(utils, "get_featuresdict_from_dataset")
    distance.wrap(metric_fid, "fid_statistics_to_metric")
    values = torch_fidelity.calculate_metrics(
        input1=a, input2=b, cuda=False, cache=False, batch_size=BATCH, fid=True, kid=True, isc=True, prc=True,
        feature_extractor="inception-v3-compat",  # also for prc, which takes VGG16 by default
        feature_extractor_weights_path=str(folder / PYTORCH_FID_NAME), verbose=False)
    names = {"frechet_inception_distance": "FID", "kernel_inception_distance_mean": "KID",
             "inception_score_mean": "IS", "precision": "precision", "recall": "recall"}
    return {short: float(values[name]) for name, short in names.items()}, features, distance


TOOLS = {"pytorch-fid": pytorch_fid, "clean-fid": clean_fid, "torch-fidelity": torch_fidelity}


def main():
    if sys.argv[1] == "weights":
        write_weights(pathlib.Path(sys.argv[2]))
        return
    tool, a, b, folder = sys.argv[1:]
    with torch.no_grad():
        values, features, distance = TOOLS[tool](a, b, pathlib.Path(folder))
    print(json.dumps({**values, "features_s": features.seconds, "frechet_s": distance.seconds}))


main()
