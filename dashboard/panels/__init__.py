"""What is below the map: views of the selection and ways to select, a file each."""
