package reload

const exeSuffix = ".exe"
