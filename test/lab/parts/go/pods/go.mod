module culvert/lab/pods

go 1.26.6
