"""Ground truth of more kernels: Debian's kernels in QEMU, their engines, and what each tool really attached there."""
