"""sequences: worlds and transforms of sequence tasks. Cards only; the code loads on demand."""

from neurocli.plugin import SimulatorCard, hookimpl


@hookimpl
def neurocli_register_simulators() -> list[SimulatorCard]:
    return [
        SimulatorCard(
            name="listops",
            summary="Expressions of nested lists (minimum, maximum, median, sum); one run is one expression, its label the value",
            implementation="neurocli_sequences.simulation.listops_simulator:ListOpsSimulator",
            source="Nangia & Bowman (2018), arXiv:1804.06028; Tay et al. (2021), arXiv:2011.04006",
            runs=2000,
        ),
        SimulatorCard(
            name="pathfinder",
            summary="Images of two dashed paths among distractors; one run is one image, its label whether a path joins the circles",
            implementation="neurocli_sequences.simulation.pathfinder_simulator:PathfinderSimulator",
            source="Linsley et al. (2018), arXiv:1805.08315; Tay et al. (2021), arXiv:2011.04006",
            runs=2000,
        ),
    ]
