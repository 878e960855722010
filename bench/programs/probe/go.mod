module culvert/bench/probe

go 1.26.6
