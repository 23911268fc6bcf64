package process

const ExeSuffix = ".exe"
