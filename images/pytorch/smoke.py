"""Trains a small network and explains it, on a GPU where one is at hand."""

import captum.attr
import lightning
import sklearn.metrics
import torch


def main() -> None:
    """Fit x -> 3x by gradient descent, then let captum say how much each input matters."""
    lightning.seed_everything(1, verbose=False)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    inputs = torch.randn(256, 2, device=device)
    wanted = 3 * inputs[:, :1]
    model = torch.nn.Linear(2, 1, device=device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _step in range(100):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(inputs), wanted)
        loss.backward()
        optimizer.step()
    if loss.item() > 1e-3:
        raise SystemExit(f"Training on {device} does not converge: the loss is {loss.item():g}.")
    shares = captum.attr.IntegratedGradients(model).attribute(inputs).abs().sum(dim=0)
    sure = sklearn.metrics.r2_score(wanted.cpu(), model(inputs).detach().cpu())
    if sure < 0.99:
        raise SystemExit(f"scikit-learn finds that the network explains only {sure:.0%}.")
    if shares[0] < 100 * shares[1]:
        raise SystemExit(f"captum explains a line wrongly: {shares.tolist()}.")


if __name__ == "__main__":
    main()
