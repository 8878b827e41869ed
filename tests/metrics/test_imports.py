import subprocess
import sys


def test_protocols_can_be_configured_without_the_seconds_torchmetrics_takes() -> None:
    code = (
        "import sys\n"
        "from freqgan.metrics import GenerationProtocol, RestorationProtocol, TranslationProtocol\n"
        "from freqgan.features import EfficientNetLite0, InceptionV3FID\n"
        "GenerationProtocol(EfficientNetLite0()), GenerationProtocol(InceptionV3FID())\n"
        "RestorationProtocol(EfficientNetLite0(), lpips='alex')\n"
        "TranslationProtocol(EfficientNetLite0(), EfficientNetLite0(), lpips='alex')\n"
        "slow = {'torchmetrics', 'torchvision', 'torch_fidelity', 'scipy', 'pytorch_lightning', 'hydra'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
