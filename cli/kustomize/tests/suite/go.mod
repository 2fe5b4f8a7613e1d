module suite

go 1.24
