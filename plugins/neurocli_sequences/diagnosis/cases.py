"""x"""


def case_findings(task, recordings, config):
    return []
