"""x"""


def case_exhibits(task, trained, figures):
    return []
