def survives_a_restart(naru):
    pass
